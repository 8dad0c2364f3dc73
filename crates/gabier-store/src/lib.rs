//! Where state rests: records, and the processes that share them.
