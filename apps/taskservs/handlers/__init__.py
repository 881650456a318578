"""Slow work on taskservs, a module for each verb; done by the worker in steps that may be repeated."""
