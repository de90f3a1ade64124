<?php
/**
 * Names that the site may reach resolve to 127.66.0.0/16, from where siteinit
 * forwards them. WordPress takes loopback addresses for internal ones, so they
 * are vouched for here; whether a name may be reached is decided outside.
 */

defined('ABSPATH') || exit;

add_filter('http_request_host_is_external', static function ($external, $host): bool {
    if ($external) {
        return true;
    }
    $addresses = filter_var($host, FILTER_VALIDATE_IP) ? [] : (gethostbynamel((string) $host) ?: []);
    $forwarded = array_filter($addresses, static fn (string $address): bool => str_starts_with($address, '127.66.'));
    return $addresses !== [] && $forwarded === $addresses;
}, 10, 2);

// The port of the site's own address, when it isn't one of the usual ones.
add_filter('http_allowed_safe_ports', static function (array $ports): array {
    $own = wp_parse_url(home_url(), PHP_URL_PORT);
    return $own === null ? $ports : array_merge($ports, [$own]);
});
