src/private/public.c
