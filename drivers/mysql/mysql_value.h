#ifndef EDS_MYSQL_VALUE_H
#define EDS_MYSQL_VALUE_H

#include "ipc/base/arena.h"
#include "drivers/sql/table.h"
#include "ipc/base/json_scan.h"

/*
 * What a column of the database can hold, and values made fit for it.  What it cannot hold
 * exactly is refused here, because the server would cut, round or accept it with no more than a note.
 * The one exception are fractions of a second finer than the column's: tables that the Go server
 * made hold whole seconds, and no event would fit them.
 */
enum my_class {
	MY_CHARS,		/* size: characters                        */
	MY_OCTETS,		/* size: bytes of UTF-8                    */
	MY_JSON,		/* MySQL's own type; MariaDB's is MY_OCTETS */
	MY_INT,			/* digits: bits                            */
	MY_DECIMAL,		/* size: precision, digits: scale          */
	MY_FLOAT,
	MY_DOUBLE,
	MY_TIME,		/* DATETIME, TIMESTAMP; digits: of the fraction */
	MY_BIT,			/* size: bits                              */
	MY_OTHER,		/* the server judges                       */
};

enum my_flags {
	MY_UNSIGNED	= 1 << 0,
	MY_NOT_NULL	= 1 << 1,
	MY_ON_UPDATE	= 1 << 2,	/* changes by itself when another column does, unless it is set */
};

struct my_type {
	enum my_class	 class;
	unsigned	 flags;
	unsigned	 digits;
	int32_t		 size;
};

/*
 * As SHOW FULL COLUMNS describes a column: "bigint(20) unsigned", "utf8mb4_bin" or absent,
 * "on update current_timestamp()".
 */
struct my_type my_type_make(struct slice type, struct slice collation, struct slice extra, bool not_null);

/* As sql_held.type and size hold it. */
uint32_t	 my_type_pack(struct my_type);
struct my_type	 my_type_unpack(uint32_t packed, int32_t size);

/* A value on its way to a column: a 64 bit integer for MY_INT, else bytes. */
struct my_value {
	bool		 null;
	bool		 finer;			/* a time, less the digits that the column has no room for */
	int64_t		 i;			/* of an unsigned column: the bits of a uint64_t */
	struct slice	 text;			/* in the event or in the arena; p is never NULL */
};

struct my_making {
	struct arena	 arena;		/* what could not stay in the event */
	struct buf		 scratch;
};

/* ERR_INVALID names the column and what it cannot hold, without the value.  JV_ABSENT counts as null. */
int	 my_value_make(struct my_making *, const struct sql_column *, struct my_type, const struct json_val *,
    struct my_value *out_r, struct err *) MUST_CHECK;

#endif
