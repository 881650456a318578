pytest_plugins = ["tests.providers.emulator_fixtures"]
