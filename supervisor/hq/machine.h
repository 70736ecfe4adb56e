#ifndef EDS_MACHINE_H
#define EDS_MACHINE_H

#include "ipc/base/buf.h"

/* What HQ is told about this machine.  Nothing here fails: what cannot be found out is "" or 0. */

/* HMAC-SHA256 with the machine's id as key and "eds" as message, in hexadecimal. */
void	 machine_id_hash(struct slice machine_id_file, struct buf *hex);

/* Without an id of the system's, one is made up and kept in <data-dir>/machine-id. */
void	 machine_id(const char *data_dir, struct buf *hex);

void	 machine_private_ip(struct buf *);	/* the first private IPv4 address, else the first other one, else "" */
void	 machine_hostname(struct buf *);
void	 machine_osinfo(struct buf *json);

/* machine_file.c */
bool	 machine_read(const char *path, struct buf *);	/* small files; false and empty when it cannot be read */

/* machine_platform.c: /etc's word on which system this is, read below `root` ("" normally). */
struct machine_platform {
	char	platform[64], family[32], version[64];
};
void	 machine_platform(const char *root, struct machine_platform *);

/* machine_virtual.c */
struct machine_virtual {
	const char	*system, *role;
};
void	 machine_virtual(const char *root, struct machine_virtual *);

#endif
