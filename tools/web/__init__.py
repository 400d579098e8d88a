"""The page of tools/webdemo.py."""
