//! An embedded SOAR and Graph tenant to try, demonstrate and test the program against, with faults on demand.
//! Everything speaks over real sockets on loopback, so what works here works outside.

pub mod certificates;
pub mod graph;
pub mod serve;
