"""Sources of faces, built-in faces, and the input pipeline."""
