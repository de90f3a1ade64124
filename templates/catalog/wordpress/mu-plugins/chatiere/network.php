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

/**
 * WordPress calls the URL of a name that the site may not reach invalid, without
 * saying which it was: an update's own, or the one it was redirected to.
 */
final class Chatiere_Refused_Host
{
    private static string $url = '';

    public static function asked(array $args, $url): array
    {
        self::$url = (string) $url;
        return $args;
    }

    /** Remembers where an answer sends the request. */
    public static function redirected($response): void
    {
        $location = (string) ($response->headers['location'] ?? '');
        if (wp_parse_url($location, PHP_URL_HOST)) {
            self::$url = $location;
        }
    }

    /** Names the host in the error that says that a URL is not valid. */
    public static function explain($response): void
    {
        if (!is_wp_error($response) || $response->get_error_message('http_request_failed') !== __('A valid URL was not provided.')) {
            return;
        }
        $host = trim((string) wp_parse_url(self::$url, PHP_URL_HOST), '.');
        if ($host === '' || self::resolves($host)) {
            return;
        }
        $text = chatiere_french()
            ? "Ce site n’a pas accès à %s. L’accès se demande à la coopérative, sur la page du site dans le panneau."
            : 'This site has no access to %s. Ask the co-op for it, on the page of the site in the panel.';
        $response->errors['http_request_failed'] = [sprintf($text, $host)];
    }

    private static function resolves(string $host): bool
    {
        return !filter_var(trim($host, '[]'), FILTER_VALIDATE_IP) && gethostbynamel($host) !== false;
    }
}

add_filter('http_request_args', [Chatiere_Refused_Host::class, 'asked'], PHP_INT_MAX, 2);
add_action('requests-requests.before_redirect_check', [Chatiere_Refused_Host::class, 'redirected']);
add_action('http_api_debug', [Chatiere_Refused_Host::class, 'explain']);
