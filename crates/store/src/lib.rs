//! Content-addressed blobs and trees, layers and garbage collection.
