# %% [markdown] id="title"
# # Python and SQL on one table
# Monthly prices of five shares, shipped inside `vega_datasets`. SQL cells run on the DuckDB that is built in: it sees
# the data frame `stocks` by its name, takes `since` as a parameter, and its result has a name that Python uses below.

# %% id="load"
from vega_datasets import local_data

stocks = local_data.stocks()
stocks.sample(3, random_state=1)

# %% id="since"
since = "2005-01-01"

# %% language="sql" id="growth"
# -- result: growth
# SELECT symbol,
#        arg_min(price, date) AS first_price,
#        arg_max(price, date) AS last_price,
#        round(last_price / first_price, 2) AS times
# FROM stocks
# WHERE date >= CAST(:since AS DATE)
# GROUP BY symbol
# ORDER BY times DESC

# %% id="winner"
winner = growth["symbol"].iloc[0]
print(f"Since {since} the price of {winner} has grown to {growth['times'].iloc[0]} times what it was.")

# %% language="sql" id="quarters"
# -- result: quarters
# SELECT date_trunc('quarter', date) AS quarter, round(avg(price), 2) AS price
# FROM stocks
# WHERE symbol = :winner AND date >= CAST(:since AS DATE)
# GROUP BY quarter
# ORDER BY quarter

# %% id="chart"
import altair as alt

alt.Chart(quarters, title=f"{winner}, mean price of each quarter", width=520, height=200).mark_line(point=True).encode(
    x=alt.X("quarter:T", title=None), y=alt.Y("price:Q", title="dollars")
)
