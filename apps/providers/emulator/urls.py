"""The emulated cloud's URLs."""

urlpatterns: list = []
