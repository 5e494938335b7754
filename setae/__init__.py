"""The spine of Setae: settings, warehouse, lease, ledger, stages and the command line."""
