"""The version of mmavs, readable without importing the package."""

__version__ = '0.1.0'

__all__ = ['__version__']
