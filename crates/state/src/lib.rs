//! Where Longshore keeps cursors, runs, partitions and rejects.
