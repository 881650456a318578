"""The API kernel: what every app's API is made of."""
