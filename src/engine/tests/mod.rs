//! The engine over a store in memory, a service and receivers that do as they are told.
