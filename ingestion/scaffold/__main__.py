"""`python -m ingestion.scaffold NAME [ENTITY …]`."""

from ingestion.scaffold import main

raise SystemExit(main())
