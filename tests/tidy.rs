//! The shape of the project.
