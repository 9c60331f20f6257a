'use strict'
// The list as a Set in memory: one hash of a short string for each RCPT, which no plugin that Haraka ships undercuts (they ask files, Redis,
// LDAP or another server). `list` is the whole list, `added` what came since; a change of either is read at once, in place of a restart.
const fs = require('node:fs')
const path = require('node:path')

let listed = new Set()
let added = new Set()

const read = (file) => {
    try {
        return new Set(fs.readFileSync(file, 'latin1').split('\n'))
    } catch {
        return new Set()
    }
}

exports.register = function () {
    const folder = process.env.PEER_LISTS
    const list = path.join(folder, 'list')
    const more = path.join(folder, 'added')
    listed = read(list)
    added = read(more)
    // Files are renamed into place: a name that changes is a file that is whole.
    fs.watch(folder, (event, name) => {
        if (name === 'list') listed = read(list)
        if (name === 'added') added = read(more)
    })
}

// Without this hook Haraka asks DNS for the name of each client.
exports.hook_lookup_rdns = (next) => next(OK, 'localhost')

exports.hook_rcpt = (next, connection, params) => {
    const address = params[0].address().toLowerCase()
    if (listed.has(address) || (added.size !== 0 && added.has(address))) return next(OK)
    next(DENY, 'Unknown recipient')
}
