<?php
/**
 * A linked account has one way in: the entry from the panel, which closes with the
 * person's right at the co-op. Passwords, application passwords and sessions that
 * anything else made do not count for it, whoever made them and by whatever way.
 */

defined('ABSPATH') || exit;

/** In a session that our entry made: whose account it was made for. */
const CHATIERE_MARK = 'chatiere';
/** Proves that a browser came in by the entry, while a plugin asks it for a second factor. */
const CHATIERE_PROOF = 'chatiere_entered';
const CHATIERE_PROOF_COOKIE = '__Host-chatiere-entered';
const CHATIERE_PROOF_LIFE = 10 * MINUTE_IN_SECONDS;

/** Sessions of linked accounts that our entry did not make, or whose person has lost the right, do not exist. */
final class Chatiere_Sessions extends WP_User_Meta_Session_Tokens
{
    protected function get_sessions()
    {
        return array_filter(parent::get_sessions(), fn ($session): bool => chatiere_session_holds($this->user_id, $session));
    }
}

function chatiere_session_holds(int $id, array $session): bool
{
    $identity = chatiere_identity($id);
    if ($identity === '') {
        return true;
    }
    return ($session[CHATIERE_MARK] ?? '') === $identity && chatiere_has_right($id, (int) ($session['login'] ?? 0));
}

add_filter('session_token_manager', static fn (): string => Chatiere_Sessions::class, PHP_INT_MAX);

add_filter('attach_session_information', static function (array $session, int $id): array {
    unset($session[CHATIERE_MARK]);
    return chatiere_came_in($id) ? [CHATIERE_MARK => chatiere_identity($id)] + $session : $session;
}, PHP_INT_MAX, 2);

/** Whether this browser just came in by the entry, as this account. Plugins with a second factor make their own session after it. */
function chatiere_came_in(int $id, ?int $now = null): bool
{
    static $in = 0;
    $in = $now ?? $in;
    if ($in === $id) {
        return true;
    }
    [$hash, $until] = explode(' ', (string) get_user_meta($id, CHATIERE_PROOF, true)) + ['', ''];
    $proof = $_COOKIE[CHATIERE_PROOF_COOKIE] ?? '';
    return is_string($proof) && $proof !== '' && time() < (int) $until && hash_equals($hash, hash('sha256', $proof));
}

/** Notes that this request is an entry, and gives the browser a proof of it. */
function chatiere_note_entry(int $id): void
{
    chatiere_came_in($id, $id);
    $proof = bin2hex(random_bytes(32));
    update_user_meta($id, CHATIERE_PROOF, hash('sha256', $proof) . ' ' . (time() + CHATIERE_PROOF_LIFE));
    setcookie(CHATIERE_PROOF_COOKIE, $proof, ['path' => '/', 'secure' => true, 'httponly' => true, 'samesite' => 'Lax']);
}

// Whatever says who asks (keys, tokens of plugins): for a linked account only a session's cookie counts.
$chatiere_by_cookie = [];
add_action('auth_cookie_valid', static function ($elements, WP_User $user) use (&$chatiere_by_cookie): void {
    $chatiere_by_cookie[$user->ID] = true;
}, 10, 2);
add_filter('determine_current_user', static function ($id) use (&$chatiere_by_cookie) {
    return $id && !isset($chatiere_by_cookie[(int) $id]) && chatiere_identity((int) $id) !== '' ? false : $id;
}, PHP_INT_MAX);

add_filter('authenticate', static fn ($user) => chatiere_is_linked($user) ? chatiere_no_password() : $user, PHP_INT_MAX);
add_filter('wp_is_application_passwords_available_for_user', static fn ($available, $user): bool => $available && !chatiere_is_linked($user), PHP_INT_MAX, 2);
add_filter('show_password_fields', static fn ($show, $user = null): bool => $show && !chatiere_is_linked($user), PHP_INT_MAX, 2);
add_filter('allow_password_reset', static fn ($allow, $id) => chatiere_is_linked(get_userdata($id)) ? chatiere_no_password() : $allow, PHP_INT_MAX, 2);

// The door decides, whatever is stored. That nothing is stored spares people a password that does not work.
add_filter('wp_pre_insert_user_data', static function (array $data, bool $update, $id): array {
    $user = $update ? get_userdata((int) $id) : false;
    return chatiere_is_linked($user) ? ['user_pass' => $user->user_pass] + $data : $data;
}, PHP_INT_MAX, 3);

add_action('user_profile_update_errors', static function (WP_Error $errors, bool $update, stdClass $user): void {
    if (!$update || !chatiere_is_linked(get_userdata((int) $user->ID))) {
        return;
    }
    $errors->remove('empty_email'); // it has none while another account has it
    if (isset($user->user_pass)) {
        $errors->add('pass', esc_html(chatiere_no_password()->get_error_message()));
    }
}, PHP_INT_MAX, 3);

add_filter('rest_request_before_callbacks', static function ($response, $handler, WP_REST_Request $request) {
    $gives = $request->get_method() !== 'GET' && (string) $request['password'] !== '';
    if (is_wp_error($response) || !$gives || !preg_match('#^/wp/v2/users/(me|\d+)$#', $request->get_route(), $found)) {
        return $response;
    }
    $user = get_userdata($found[1] === 'me' ? get_current_user_id() : (int) $found[1]);
    return chatiere_is_linked($user) ? chatiere_no_password() : $response;
}, PHP_INT_MAX, 3);

// Somebody who is in has no business at the form; WordPress would sign them in again by their cookie.
add_action('login_init', static function (): void {
    $asks = ($_SERVER['REQUEST_METHOD'] ?? '') === 'GET' && ($_GET['action'] ?? 'login') === 'login';
    if ($asks && !isset($_GET['interim-login']) && !isset($_GET['reauth']) && chatiere_is_linked(wp_get_current_user())) {
        $to = $_GET['redirect_to'] ?? '';
        wp_safe_redirect(is_string($to) && $to !== '' ? wp_unslash($to) : admin_url());
        exit;
    }
});

function chatiere_no_password(): WP_Error
{
    return new WP_Error('chatiere_panel', chatiere_french()
        ? 'Ce compte n’a pas de mot de passe : on y entre depuis son espace d’association.'
        : 'This account has no password: it is entered from the association’s own pages.', ['status' => 403]);
}
