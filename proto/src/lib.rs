//! The model and the gRPC contracts, compiled from the proto files.
//!
//! [`model`] is the one table that everything generic reads: kinds, their fields, the relations between them. The typed
//! messages (for instance [`capability::v1::Capability`]) are for rules, for relations with a meaning of their own, and
//! for figures. [`model::Entity`] joins the two: it reads and writes the fields of any message by number.
//!
//! Clients and servers of the owners (`owner`, and `service` beside the messages) are there with the feature `grpc`.

pub mod model;
#[cfg(feature = "grpc")]
pub mod owner;

/// Messages of the owner of objectives, capabilities, processes and applications.
pub mod capability {
    /// Version 1.
    #[allow(
        missing_docs,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated; the comments of the proto files are the documentation"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/spil.capability.v1.rs"));

        /// The four calls of this owner.
        #[cfg(feature = "grpc")]
        pub mod service {
            tonic::include_proto!("spil.capability.v1.service");
        }
    }
}

/// Messages of the owner of people, positions, roles and skills.
pub mod workforce {
    /// Version 1.
    #[allow(
        missing_docs,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated; the comments of the proto files are the documentation"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/spil.workforce.v1.rs"));

        /// The four calls of this owner.
        #[cfg(feature = "grpc")]
        pub mod service {
            tonic::include_proto!("spil.workforce.v1.service");
        }
    }
}

/// Messages of the owner of initiatives and benefits.
pub mod initiative {
    /// Version 1.
    #[allow(
        missing_docs,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated; the comments of the proto files are the documentation"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/spil.initiative.v1.rs"));

        /// The four calls of this owner.
        #[cfg(feature = "grpc")]
        pub mod service {
            tonic::include_proto!("spil.initiative.v1.service");
        }
    }
}

/// The four calls of an owner and what they carry.
pub mod changefeed {
    /// Version 1.
    #[allow(
        missing_docs,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated; the comments of the proto files are the documentation"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/spil.changefeed.v1.rs"));
    }
}
