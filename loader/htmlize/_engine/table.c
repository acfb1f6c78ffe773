/* table.c: an engine's roles and hooks, and its table from names to roles. */
#include "pass.h"

#include <stdlib.h>

const unsigned char role_word[256] = {
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1,
    ['9'] = 1, ['_'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1,
    ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1,
    ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1,
    ['z'] = 1, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1,
    ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1,
    ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
};

static void *copy_of(const void *data, size_t count, size_t each)
{
    void *copy = calloc(count == 0 ? 1 : count, each);

    if (copy != NULL && count != 0)
        memcpy(copy, data, count * each);
    return copy;
}

/* Puts roles[number - 1] into the table, in the place of an earlier one of its name. */
static void put(engine *self, uint32_t number)
{
    const engine_role *role = &self->roles[number - 1];
    const uint64_t key = role_key(role->name.data, role->name.size);
    size_t i = role_slot(self, key, role->name.size);

    for (; self->slots[i].number != 0; i = (i + 1) & self->slot_mask) {
        const engine_role *other = &self->roles[self->slots[i].number - 1];
        if (other->name.size == role->name.size &&
            (role->name.size == 0 || memcmp(other->name.data, role->name.data, role->name.size) == 0))
            break;
    }
    self->slots[i] = (engine_slot){.key = key, .size = (uint32_t)role->name.size, .number = number};
}

int engine_set(engine *self, const engine_role *roles, size_t role_count, const engine_contents *contents,
               size_t contents_count, const char *path)
{
    size_t slots = 8;

    memset(self, 0, sizeof *self);
    for (size_t i = 0; (self->path = pass_path(i)) != NULL; i++) {
        if (path == NULL || strcmp(path, self->path->name) == 0)
            break;
    }
    if (self->path == NULL)
        return -2;
    if (role_count > UINT32_MAX / 4)
        return -1;
    while (slots < role_count * 8)
        slots *= 2;
    self->roles = copy_of(roles, role_count, sizeof *roles);
    self->contents = copy_of(contents, contents_count, sizeof *contents);
    self->slots = calloc(slots, sizeof *self->slots);
    if (self->roles == NULL || self->contents == NULL || self->slots == NULL)
        return -1;
    self->slot_mask = slots - 1;
    self->role_count = role_count;
    self->contents_count = contents_count;
    for (uint32_t number = 1; number <= role_count; number++) {
        put(self, number);
        self->limits_output = self->limits_output || roles[number - 1].max_output != SIZE_MAX;
    }
    return 0;
}

void engine_clear(engine *self)
{
    free(self->roles);
    free(self->contents);
    free(self->slots);
    memset(self, 0, sizeof *self);
}

const engine_role *engine_find(const engine *self, const char *name, size_t size)
{
    return size == 0 ? NULL : role_find(self, name, size, role_key(name, size));
}

const char *engine_path_name(size_t index)
{
    const struct engine_path *path = pass_path(index);

    return path == NULL ? NULL : path->name;
}
