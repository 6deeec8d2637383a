//! What models compute: operations, graph builder, families, plan.
