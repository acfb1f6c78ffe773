"""The side-by-side measurement: this loader beside every system that does the same job. See README.md."""
