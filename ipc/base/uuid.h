#ifndef EDS_UUID_H
#define EDS_UUID_H

#define UUID_LEN	36

/* A random one (version 4) in its usual form, ended by a NUL. */
void	 uuid_random(char out[UUID_LEN + 1]);

#endif
