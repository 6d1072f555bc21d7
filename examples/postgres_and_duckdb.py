# %% [markdown] id="title"
# # PostgreSQL and DuckDB side by side
# Daily weather of Seattle and 3,376 airports of the United States, both shipped inside `vega_datasets`. The airports
# are a table of PostgreSQL; the weather stays a data frame, which the built-in DuckDB reads by its name. Each database
# answers for what it holds, and the two answers meet in one more query.
#
# For your own server start Tailrace with `TAILRACE_EXAMPLE_PG=postgresql://user:password@host/database` in the
# environment: the notebook names the variable, so the password is in no file. Without it a SQLite file takes the place
# of PostgreSQL, and the first cell says so; every other cell is the same.

# %% id="connect"
import os
import tempfile

url = os.environ.setdefault("TAILRACE_EXAMPLE_PG", f"sqlite:///{tempfile.gettempdir()}/tailrace-example.db")
if url.startswith("sqlite"):
    print("TAILRACE_EXAMPLE_PG is not set, so no PostgreSQL is used: a SQLite file takes its place.")
else:
    print("The airports go to your PostgreSQL.")
# %sql pg env:TAILRACE_EXAMPLE_PG

# %% [markdown] id="load-text"
# Python puts the data where it belongs; this is the only cell that writes to the other database.

# %% id="load"
import sqlalchemy
from vega_datasets import local_data

weather = local_data.seattle_weather()
airports = local_data.airports()[["iata", "name", "city", "state", "latitude", "longitude"]]
engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
airports.to_sql("example_airports", engine, if_exists="replace", index=False)
engine.dispose()
print(f"{len(weather):,} days of weather here, {len(airports):,} airports there")

# %% id="choices"
state = "WA"
rainy = 10.0  # millimetres in a day

# %% language="sql" id="there"
# -- connection: pg  result: near
# SELECT iata, name, city, latitude, longitude
# FROM example_airports
# WHERE state = :state AND city = 'Seattle'
# ORDER BY name

# %% language="sql" id="states"
# -- connection: pg
# SELECT state, count(*) AS airports, round(avg(latitude)) AS latitude
# FROM example_airports
# GROUP BY state
# HAVING count(*) >= 100
# ORDER BY airports DESC

# %% language="sql" id="here"
# -- result: months
# SELECT month(date) AS month,
#        count(*) FILTER (WHERE precipitation >= :rainy) AS rainy_days,
#        round(avg(wind), 1) AS wind
# FROM weather
# GROUP BY month
# ORDER BY month

# %% [markdown] id="meet-text"
# `near` came from PostgreSQL and `months` from DuckDB. Both are data frames now, so DuckDB joins them by their names.

# %% language="sql" id="meet"
# -- result: advice
# SELECT near.name AS airport, months.month, months.rainy_days, months.wind
# FROM near CROSS JOIN months
# QUALIFY months.rainy_days = min(months.rainy_days) OVER ()
# ORDER BY airport, month

# %% id="story"
driest = advice["month"].iloc[0]
print(f"Fly to {advice['airport'].iloc[0]} in month {driest}: {advice['rainy_days'].iloc[0]} rainy days in four years.")
