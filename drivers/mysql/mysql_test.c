/*
 * Whether the database would take events: everything that delivery does is done once, to a table of its own.
 * Dropping comes first: who may not do that would leave the table behind.
 */

#include <stdio.h>
#include <unistd.h>

#include "drivers/mysql/mysql_private.h"

static const struct trial {
	const char	*before, *after;	/* the table's name */
} trials[] = {
	{ "DROP TABLE IF EXISTS ", "" },
	{ "CREATE TABLE ", " (`id` VARCHAR(64) NOT NULL, PRIMARY KEY (`id`)) CHARACTER SET=utf8mb4" },
	{ "ALTER TABLE ", " ADD COLUMN `note` LONGTEXT" },
	{ "INSERT INTO ", " (`id`, `note`) VALUES ('1', '') ON DUPLICATE KEY UPDATE `note` = VALUES(`note`)" },
	{ "UPDATE ", " SET `note` = 'x' WHERE `id` = '1'" },
	{ "DELETE FROM ", " WHERE `id` = '1'" },
	{ "COMMIT -- ", "" },
};

static enum drv_result
run(struct drv *d, const struct trial *t, struct err *err)
{
	char	 sql[256];

	(void)snprintf(sql, sizeof(sql), "%s`_eds_test_%ld`%s", t->before, (long)getpid(), t->after);
	return my_exec(d, sql, "trying what delivery needs", err);
}

enum drv_result
my_try(struct drv *d, struct err *err)
{
	enum drv_result	 r = DRV_STORED, dropped;

	for (size_t i = 0; i < NELEM(trials) && r == DRV_STORED; i++)
		r = run(d, &trials[i], err);
	if (d->lost)
		return r;
	dropped = run(d, &trials[0], r == DRV_STORED ? err : NULL);
	return r == DRV_STORED ? dropped : r;
}
