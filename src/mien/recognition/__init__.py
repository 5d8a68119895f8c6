"""Image -> faces with emotions: detect, align, crop, classify, explain, draw. Importing this loads nothing."""
