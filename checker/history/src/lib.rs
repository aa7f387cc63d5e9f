//! What happened: events, their file format, the recorder, the reader, the run directory and its manifest.
