"""Tables: which calls change their receiver or an argument in place, and which results share objects with them.

Plain knowledge about builtin containers, NumPy, pandas, scikit-learn and the standard library; no analysis here.
"""

METHODS = frozenset(
    # list, bytearray, array, deque
    "append extend insert pop remove clear sort reverse appendleft popleft extendleft rotate fromlist frombytes "  # noqa: SIM905
    # dict, set, Counter, OrderedDict
    "add discard update setdefault popitem difference_update intersection_update symmetric_difference_update "
    "subtract move_to_end __setitem__ __delitem__ __setattr__ __delattr__ __iadd__ __ior__ "
    # arrays and frames
    "fill put itemset resize partition setflags setfield isetitem insert_column replace_column drop_in_place "
    # estimators
    "fit partial_fit fit_transform fit_predict "
    # graphs, figures, open files
    "add_edge add_node add_nodes_from add_edges_from add_weighted_edges_from remove_node remove_edge remove_nodes_from "
    "remove_edges_from set_title set_xlabel set_ylabel set_xlim set_ylim set_xticks set_yticks set_xscale set_yscale "
    "legend annotate axhline axvline suptitle write writelines seek readline readlines truncate "
    # writers of tables, parsers of arguments
    "writerow writerows writeheader add_argument add_parser addHandler removeHandler addFilter removeFilter setLevel "
    # tensors
    "add_ sub_ mul_ div_ zero_ fill_ copy_ clamp_ normal_ uniform_ requires_grad_".split()
)

# Also methods of frames, which draw and change nothing: counted for names that say what they are.
DRAWING_METHODS = frozenset({"plot", "scatter", "bar", "barh", "hist", "boxplot", "fill_between", "imshow", "text"})
AXES = ("ax", "fig")

# function → the positional arguments that it changes
FUNCTIONS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("next", "anext", "setattr", "delattr"), (0,)),
    **dict.fromkeys(("heappush", "heappop", "heapify", "heapreplace", "heappushpop"), (0,)),
    **dict.fromkeys(("shuffle", "insort", "insort_left", "insort_right", "setitem", "delitem"), (0,)),
    **dict.fromkeys(("iadd", "isub", "imul", "ior", "iand", "ixor", "iconcat"), (0,)),
    **dict.fromkeys(("redirect_stdout", "redirect_stderr"), (0,)),
    **dict.fromkeys(("copyto", "putmask", "place", "fill_diagonal", "put_along_axis", "at"), (0,)),
    "SubElement": (0,),
    "dump": (1,),
    "pack_into": (0, 1),  # of a `Struct`, of the module
}

# The same of functions whose names are methods elsewhere: only of modules of arrays.
ARRAY_MODULES = frozenset({"np", "numpy"})
_ONE = "abs absolute negative sqrt square exp expm1 log log1p log2 log10 sin cos tan tanh sign floor ceil rint"
_TWO = "add subtract multiply divide true_divide floor_divide power mod remainder maximum minimum fmax fmin hypot"
ARRAY_FUNCTIONS: dict[str, tuple[int, ...]] = {
    "put": (0,),
    **dict.fromkeys(_ONE.split(), (1,)),  # where the result goes
    **dict.fromkeys(_TWO.split(), (2,)),
}

# What is written to may be a path or an open file: counted for names that say that they are files.
SAVING = frozenset(
    {"to_csv", "to_json", "to_pickle", "to_parquet", "to_excel", "to_html", "to_string", "save", "savez", "savefig"}
)
OPEN_FILES = frozenset({"f", "fp", "fh", "fd", "file", "handle", "buf", "buffer", "stream", "sio", "bio"})

# keyword → the calls in which it names what they write to; None: any
WRITTEN_KEYWORDS: dict[str, str | None] = {"out": None, "file": "print"}

# Besides the builtin ones: types whose methods, taken from the type (`deque.append(x, 1)`), get the object first.
CONTAINER_TYPES = frozenset({"deque", "OrderedDict", "defaultdict", "Counter"})

# Results are fresh containers of the arguments' elements …
HOLDING_FUNCTIONS = frozenset(
    "list tuple set frozenset dict sorted reversed iter aiter enumerate zip filter deque OrderedDict defaultdict chain "  # noqa: SIM905
    "islice cycle copy partial".split()
)
# … or one of them.
PICKING_FUNCTIONS = frozenset(
    {"next", "anext", "min", "max", "getattr", "choice", "getitem", "vars", "writer", "DictWriter"}
)
HOLDING_METHODS = frozenset({"items", "values", "copy", "most_common", "elements", "iterrows", "itertuples"})
PICKING_METHODS = frozenset({"get", "pop", "setdefault", "popitem", "popleft", "__getitem__", "__iter__", "__next__"})
# Arrays: the result is the same memory.
VIEW_METHODS = frozenset({"view", "reshape", "ravel", "squeeze", "swapaxes"})
VIEW_FUNCTIONS = VIEW_METHODS | frozenset(
    "asarray asanyarray ascontiguousarray atleast_1d atleast_2d atleast_3d broadcast_to split array_split hsplit "  # noqa: SIM905
    "vsplit transpose moveaxis rollaxis expand_dims flip fliplr flipud diagonal".split()
)

# Methods of builtin types, arrays and frames that change nothing: an object with such a method may be of any type.
_READING_METHODS = frozenset(
    "abs add_prefix add_suffix agg aggregate align all any apply argmax argmin argpartition argsort asfreq asof "  # noqa: SIM905
    "assign astype at_time autocorr between between_time bfill byteswap case_when cat choose clip combine "
    "combine_first compare compress conj convert_dtypes corr corrwith cov cummax cummin cumprod cumsum describe "
    "diagonal diff div divide divmod dot drop drop_duplicates droplevel dropna dt dump dumps duplicated eq equals "
    "eval ewm expanding explode factorize ffill fillna filter first_valid_index flatten floordiv from_arrow "
    "from_dict from_records ge getfield group_by groupby gt head idxmax idxmin infer_objects info interpolate "
    "isin isna isnull item iterrows itertuples kurt kurtosis last_valid_index le lt map mask max mean median melt "
    "memory_usage merge min mod mode mul multiply ne nlargest nonzero notna notnull nsmallest nunique pct_change "
    "pipe pivot pivot_table pow prod product quantile query radd rank rdiv rdivmod reindex reindex_like rename "
    "rename_axis reorder_levels repeat resample reset_index rfloordiv rmod rmul rolling round rpow rsub rtruediv "
    "sample savefig searchsorted select select_dtypes sem set_axis set_flags set_index shift show skew sort_index "
    "sort_values stack std struct sub sum swaplevel tail take to_clipboard to_csv to_device to_dict to_excel "
    "to_feather to_frame to_hdf to_html to_json to_latex to_list to_markdown to_numpy to_orc to_pandas to_parquet "
    "to_period to_pickle to_records to_sql to_stata to_string to_timestamp to_xarray to_xml tobytes tofile tolist "
    "trace transform transpose truediv tz_convert tz_localize unique unstack value_counts var where with_columns "
    "xs read".split()
)
_BUILTIN_TYPES = (list, dict, set, frozenset, tuple, str, bytes, bytearray, int, float, complex)
_OF_BUILTIN_TYPES = frozenset(name for kind in _BUILTIN_TYPES for name in dir(kind))
KNOWN_METHODS = METHODS | DRAWING_METHODS | VIEW_METHODS | _READING_METHODS | _OF_BUILTIN_TYPES

# Results call what they are given.
WRAPPERS = frozenset(
    "partial partialmethod wraps cache lru_cache cached_property singledispatch total_ordering vectorize jit njit vmap "  # noqa: SIM905
    "pmap grad staticmethod classmethod property contextmanager map filter".split()
)

# Builtin functions, and methods of arrays and frames, that call what they are given on elements.
CALLING_FUNCTIONS = frozenset({"map", "filter", "sorted", "min", "max"})
APPLYING_METHODS = frozenset({"apply", "map", "pipe"})

# Names of `builtins` through which any name may be read or written.
OPAQUE_FUNCTIONS = frozenset({"exec", "eval", "globals"})
OPAQUE_AT_TOP = frozenset({"locals", "vars"})  # without arguments, outside functions
