#ifndef EDS_SQL_TABLE_H
#define EDS_SQL_TABLE_H

#include "drivers/sql/schema.h"

/*
 * The tables of a destination as this process knows them: the columns of every
 * version met so far, and how the columns of each version map to them.  A
 * column's number stays its number for as long as the process lives.
 */
struct sql_version {
	struct sql_version	*next;
	struct sql_schema	*schema;
	uint32_t		*column;	/* of the table, for each column of the schema      */
	uint32_t		*after;		/* by 1 + a column of the schema, 0: in front of the first; the one that
						   comes next in rows, counted likewise, 0: not known */
	bool			 in_place;	/* the destination has these columns */
	bool			 announced;	/* ... and HQ was told                              */
};

/* What the destination's catalogue says of a column. */
struct sql_held {
	bool		 exists;
	bool		 demands;	/* NOT NULL without a default */
	uint32_t	 type;		/* these two in the driver's own terms */
	int32_t		 size;
};

struct sql_table {
	struct slice		 name;		/* ended by a NUL              */
	uint32_t		 id;		/* 0, 1, ... in order of meeting */
	struct sql_column	*cols;		/* the first nkeys are the key */
	size_t			 ncols;
	size_t			 nkeys;
	size_t			 capacity;
	struct sql_version	*versions;	/* the latest met first        */

	/* the destination's side, see place.h */
	bool			 exists;
	struct sql_held		*held;		/* for each of cols, once it was read */
	size_t			 nheld;
	uint64_t		 generation;	/* of the catalogue in which it was read; 0: not yet */
};

struct sql_tables {
	struct sql_table	**v;
	size_t			  n, capacity;
};

struct sql_table *sql_tables_find(const struct sql_tables *, struct slice name);	/* NULL when unknown */

/* A new table of which only the key is known.  NULL: out of memory, err says so. */
struct sql_table *sql_tables_add(struct sql_tables *, struct slice name, const struct slice *keys, size_t nkeys,
    struct err *);

/*
 * Takes over a schema: adds the table and the columns that are not there yet.  The
 * schema belongs to the tables afterwards, on failure too.  ERR_CONFLICT when it names another primary key
 * than the table has.  A column keeps the kind it was first met with.
 */
struct sql_version *sql_tables_take(struct sql_tables *, struct sql_schema *, struct err *);

struct sql_version *sql_table_version(const struct sql_table *, struct slice version);	/* NULL when unknown */
size_t	 sql_table_find(const struct sql_table *, struct slice column);			/* SQL_NO_COLUMN     */

void	 sql_tables_free(struct sql_tables *);

#endif
