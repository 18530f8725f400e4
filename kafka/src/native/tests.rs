//! What a broker may do that real ones seldom do.
