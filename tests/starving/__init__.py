"""The process that tests/call/test_out_of_memory.py starts; see __main__.py. Open first: scene.py."""
