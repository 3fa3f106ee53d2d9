'use strict'
// Takes mail from everybody, for everybody, and delivers all of it to the sink: docs/Plugins.md and docs/Outbound.md
// (connection.relaying, get_mx) of Haraka.

exports.register = function () {
    this.sink = { priority: 0, exchange: '127.0.0.1', port: this.config.get('sink.json').port }
}

// The client's name is not asked for: docs/plugins of Haraka, lookup_rdns.
exports.hook_lookup_rdns = (next) => next(OK, 'localhost')

exports.hook_connect = (next, connection) => {
    connection.relaying = true
    next()
}

exports.hook_rcpt = (next) => next(OK)

exports.hook_get_mx = function (next) {
    next(OK, this.sink)
}
