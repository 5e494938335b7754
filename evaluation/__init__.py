"""The truth score: how good the estimates are where the truth is known.

`simulation` and `counts` put simulated counts through the estimators, `crowds` simulated people,
`worlds` whole worlds through the whole pipeline; `command` is `setae evaluate`. Nothing here is
part of a build: `estimation` and `dbt_project` know nothing of it.
"""
