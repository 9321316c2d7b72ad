"""Reading and writing pictures and videos: what shows is kept, what a file hides is not."""
