//! What the model table says about storage: which columns a block has, and where references lead.

use std::sync::LazyLock;

use spil_proto::model::{FieldType, Kind, Step, field};

/// How many kinds there are.
pub(crate) const KINDS: usize = Kind::ALL.len();

/// The place of each kind by its number.
const PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut at = 0;
    while at < KINDS {
        places[Kind::ALL[at] as usize] = at as u8;
        at += 1;
    }
    places
};

/// The place of a kind in lists of kinds.
#[inline]
pub(crate) fn place(kind: Kind) -> usize {
    usize::from(PLACES[kind as usize])
}

/// How records of a kind are stored.
#[derive(Debug)]
pub(crate) struct KindSchema {
    pub(crate) kind: Kind,
    /// The type of each field by its number.
    pub(crate) types: Vec<FieldType>,
    /// The fields that are stored as they are: all but id, retirement and references.
    pub(crate) plain: Vec<(usize, FieldType)>,
    /// The fields that refer to others.
    pub(crate) references: Vec<Reference>,
    /// The fields of any kind that refer to this one. The number of an entry is its slot.
    pub(crate) inverses: Vec<Inverse>,
    /// The steps of each relation, in the order of [`Kind::relations`].
    pub(crate) relations: Vec<Vec<Step>>,
    /// The place of each field by the number that it has for ever.
    tags: Vec<Option<usize>>,
}

/// A field that refers to records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub(crate) field: usize,
    pub(crate) to: Kind,
    /// Its place among the inverses of the kind it leads to.
    pub(crate) slot: usize,
    pub(crate) many: bool,
}

/// A field seen from the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inverse {
    pub(crate) from: Kind,
    pub(crate) field: usize,
}

impl KindSchema {
    pub(crate) fn of(kind: Kind) -> &'static KindSchema {
        &SCHEMAS[place(kind)]
    }

    pub(crate) fn field_type(&self, field: usize) -> Option<FieldType> {
        self.types.get(field).copied()
    }

    /// How many columns a block has: one for each field, one for each inverse, one for who set the fields.
    pub(crate) fn columns(&self) -> usize {
        self.provenance_column() + 1
    }

    /// The column that holds who set the fields.
    pub(crate) fn provenance_column(&self) -> usize {
        self.types.len() + self.inverses.len()
    }

    /// The place of the field with a number that stays for ever.
    pub(crate) fn field_of_tag(&self, tag: u32) -> Option<usize> {
        *self.tags.get(usize::try_from(tag).ok()?)?
    }

    /// The column that holds the referrers of a slot.
    pub(crate) fn inverse_column(&self, slot: usize) -> usize {
        self.types.len() + slot
    }

    pub(crate) fn reference(&self, field: usize) -> Option<&Reference> {
        self.references.iter().find(|reference| reference.field == field)
    }

    pub(crate) fn slot(&self, from: Kind, field: usize) -> Option<usize> {
        self.inverses.iter().position(|inverse| inverse.from == from && inverse.field == field)
    }
}

fn target(ty: FieldType) -> Option<(Kind, bool)> {
    match ty {
        FieldType::Ref(kind) => Some((kind, false)),
        FieldType::RefList(kind) => Some((kind, true)),
        _ => None,
    }
}

static SCHEMAS: LazyLock<Vec<KindSchema>> = LazyLock::new(|| {
    let inverses_of = |to: Kind| -> Vec<Inverse> {
        Kind::ALL
            .iter()
            .flat_map(|&from| from.info().fields().map(move |info| (from, info)))
            .filter(|(_, info)| target(info.ty).is_some_and(|(kind, _)| kind == to))
            .map(|(from, info)| Inverse { from, field: info.index })
            .collect()
    };
    Kind::ALL
        .iter()
        .map(|&kind| {
            let types: Vec<FieldType> = kind.info().fields().map(|info| info.ty).collect();
            let numbered = || types.iter().copied().enumerate();
            let plain = numbered()
                .filter(|(at, ty)| ![field::ID, field::RETIRED_AT].contains(at) && target(*ty).is_none())
                .collect();
            let references = numbered()
                .filter_map(|(at, ty)| {
                    let (to, many) = target(ty)?;
                    let slot =
                        inverses_of(to).iter().position(|inverse| inverse.from == kind && inverse.field == at)?;
                    Some(Reference { field: at, to, slot, many })
                })
                .collect();
            let relations = kind.relations().into_iter().map(|relation| relation.steps).collect();
            let last = kind.info().fields().map(|info| info.tag).max().unwrap_or_default();
            let tags = (0..=last).map(|tag| kind.info().field_by_tag(tag).map(|info| info.index)).collect();
            KindSchema { kind, plain, references, inverses: inverses_of(kind), relations, types, tags }
        })
        .collect()
});
