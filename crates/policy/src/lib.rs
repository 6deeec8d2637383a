//! What may be used and how: licences, openness, gates, obligations. Pure functions over facts.
