"""On the path of Pythons that tests start in the placement "worker": there too plugins are loaded isolated by default."""

from placements import isolate_by_default

isolate_by_default()
