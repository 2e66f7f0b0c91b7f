"""What the screens see: the stored journal, followed with a replica of the engine."""
