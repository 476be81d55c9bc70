src/private/secret.c
