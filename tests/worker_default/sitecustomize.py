"""On the path of Pythons that tests start in the placement "worker": plugins are isolated by default there too."""

from placements import isolate_by_default

isolate_by_default()
