"""Great Expectations: the DuckDB data source, suites a stage, the gate and its report."""
