<?php
/**
 * The way in from the panel: an address that carries an assertion, good for one
 * minute and for one use. It is no page of wp-login.php, which plugins rename.
 */

defined('ABSPATH') || exit;

const CHATIERE_ENTRY = '/.well-known/chatiere/entry';
const CHATIERE_ENTRY_TYPE = 'chatiere-entry+jwt';
/** How long somebody stays in, in seconds; closing the browser ends it, too. */
const CHATIERE_STAY = 12 * HOUR_IN_SECONDS;

add_action('wp_loaded', static function (): void {
    if (parse_url((string) ($_SERVER['REQUEST_URI'] ?? ''), PHP_URL_PATH) !== CHATIERE_ENTRY) {
        return;
    }
    nocache_headers();
    header('Cache-Control: no-store');
    header('Referrer-Policy: no-referrer'); // the address is a key
    header('X-Robots-Tag: noindex');
    // A look (HEAD) must not use an assertion up, and nothing else comes this way.
    if (($_SERVER['REQUEST_METHOD'] ?? '') !== 'GET') {
        status_header(405);
        header('Allow: GET');
        exit;
    }
    try {
        $claims = chatiere_assertion(is_string($_GET['token'] ?? null) ? $_GET['token'] : '', CHATIERE_ENTRY_TYPE, time());
        chatiere_use_up($claims['jti'], $claims['exp']);
        chatiere_let_in(chatiere_account($claims));
        wp_safe_redirect(admin_url(), 303);
    } catch (Chatiere_Refusal $refusal) {
        chatiere_refuse($refusal->getMessage(), 403);
    } catch (RuntimeException $fault) {
        error_log('entry: ' . $fault->getMessage());
        chatiere_refuse('failed', 500);
    }
    exit;
}, PHP_INT_MIN);

/**
 * An assertion is used up by a row that can be there only once (option_name is a unique key): of two requests at the same
 * instant one makes it. The row goes when the assertion would have expired anyway.
 */
function chatiere_use_up(string $id, int $expires): void
{
    global $wpdb;

    $made = $wpdb->query($wpdb->prepare(
        "INSERT IGNORE INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, 'off')",
        "chatiere_entry_$id",
        (string) $expires
    ));
    if ($made !== 1) {
        throw new Chatiere_Refusal('used');
    }
    $wpdb->query($wpdb->prepare(
        "DELETE FROM $wpdb->options WHERE option_name LIKE %s AND CAST(option_value AS UNSIGNED) < %d",
        $wpdb->esc_like('chatiere_entry_') . '%',
        time() - CHATIERE_ASSERTION_LIFE
    ));
}

/** WordPress's own cookies, for a while. Whoever was signed in here before is not any more. */
function chatiere_let_in(WP_User $user): void
{
    wp_destroy_current_session();
    add_filter('auth_cookie_expiration', static fn (): int => CHATIERE_STAY, PHP_INT_MAX);
    chatiere_note_entry($user->ID);
    wp_set_current_user($user->ID);
    wp_set_auth_cookie($user->ID);
    do_action('wp_login', $user->user_login, $user);
}

function chatiere_refuse(string $why, int $status): void
{
    $french = chatiere_french();
    $words = $french ? [
        'expired' => 'Ce lien d’entrée n’est plus valable : il sert pendant une minute.',
        'used' => 'Ce lien d’entrée a déjà servi : il ne sert qu’une fois.',
        'unknown' => 'Ce lien d’entrée n’est pas fait pour ce site, ou il n’est pas arrivé en entier.',
        'failed' => 'Votre compte sur ce site n’a pas pu être préparé. Si cela se répète, dites-le à votre coopérative.',
        'title' => 'L’entrée n’a pas pu se faire',
        'again' => 'Rien n’a changé sur votre site. Revenez à votre espace et choisissez de nouveau « Ouvrir l’administration ».',
        'back' => 'Revenir à votre espace',
    ] : [
        'expired' => 'This link is no longer valid: it is good for one minute.',
        'used' => 'This link has been used already: it is good for one use.',
        'unknown' => 'This link is not made for this site, or part of it is missing.',
        'failed' => 'Your account on this site could not be prepared. If it happens again, tell your co-op.',
        'title' => 'You could not be let in',
        'again' => 'Nothing has changed on your site. Go back and choose “Open its administration” again.',
        'back' => 'Go back',
    ];
    status_header($status);
    header('Content-Type: text/html; charset=utf-8');
    header("Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'");
    $back = chatiere_panel_page();
    ?>
<!doctype html>
<html lang="<?php echo $french ? 'fr' : 'en'; ?>">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title><?php echo esc_html($words['title']); ?></title>
<style>
body { font: 1.0625rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.25rem; color: #1d2730; background: #faf8f4; }
a { display: inline-block; min-height: 28px; margin-top: 1rem; padding: 8px 20px; border-radius: 8px; background: #0b5a6b; color: #fff; font-weight: 600; text-decoration: none; }
@media (prefers-color-scheme: dark) { body { color: #eef1f3; background: #14191d; } a { background: #6cc5d6; color: #0d1519; } }
</style>
</head>
<body>
<main>
<h1><?php echo esc_html($words['title']); ?></h1>
<p><?php echo esc_html($words[$why] ?? $words['unknown']); ?></p>
<p><?php echo esc_html($words['again']); ?></p>
<?php if ($back !== '') : ?>
<p><a href="<?php echo esc_url($back); ?>"><?php echo esc_html($words['back']); ?></a></p>
<?php endif; ?>
</main>
</body>
</html>
    <?php
}

/** This site's page in the panel; '' when the panel is not known here. */
function chatiere_panel_page(): string
{
    $issuer = (string) (chatiere_panel()['issuer'] ?? '');
    return $issuer === '' ? '' : $issuer . '/sites/' . rawurlencode((string) getenv('SITE_ID'));
}

// Where people would look for a password that does not exist.
add_filter('login_message', static function ($message): string {
    $page = chatiere_panel_page();
    if ($page === '') {
        return (string) $message;
    }
    $words = chatiere_french()
        ? ['Vous gérez ce site ?', 'Entrez depuis votre espace, sans mot de passe.']
        : ['Do you manage this site?', 'Enter from your own pages, without a password.'];
    return $message . sprintf('<p class="message">%s <a href="%s">%s</a></p>', esc_html($words[0]), esc_url($page), esc_html($words[1]));
});
