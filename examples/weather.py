# %% [markdown] id="title"
# # Four years of weather in Seattle
# Daily measurements from 2012 to 2015, shipped inside `vega_datasets`. Change `warm` below and run that cell:
# the count, the figure and the last sentence follow; the table of months does not, because it does not read it.

# %% id="load"
from vega_datasets import local_data

weather = local_data.seattle_weather()
weather.head(3)

# %% id="threshold"
warm = 25  # °C: a day counts as warm from here on

# %% id="months"
by_month = weather.groupby(weather["date"].dt.month)[["temp_max", "precipitation"]].mean().round(1)
by_month.index.name = "month"
by_month

# %% id="warm-days"
warm_days = weather[weather["temp_max"] >= warm]
per_year = warm_days.groupby(warm_days["date"].dt.year).size()
print(f"{len(warm_days)} of {len(weather)} days reached {warm} °C")

# %% id="figure"
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 2.6))
axes.plot(weather["date"], weather["temp_max"], linewidth=0.6, color="0.6")
axes.plot(warm_days["date"], warm_days["temp_max"], ".", markersize=4, color="tab:red")
axes.set(ylabel="warmest hour, °C", title=f"Days of {warm} °C and more")
figure.tight_layout()

# %% id="chart"
import altair as alt

alt.Chart(weather, width=520, height=160).mark_bar().encode(
    x=alt.X("month(date):O", title="month"),
    y=alt.Y("count()", title="days"),
    color=alt.Color("weather:N", scale=alt.Scale(scheme="tableau10")),
)

# %% id="story"
best, times = int(per_year.idxmax()), per_year.max() / per_year.min()
print(f"{best} was the warmest year: {per_year[best]} warm days, {times:.1f} times those of the coolest.")
