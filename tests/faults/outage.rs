//! A broker that was away, for whatever time, is served again within five seconds.
