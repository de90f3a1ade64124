<?php
/**
 * Mail leaves through the loopback port that siteinit forwards to the co-op's
 * relay, which answers at once, or the page must not wait for it. A plugin may
 * bring a mail server of its own: it is used if this site may reach it, and
 * otherwise the relay sends, and managers are told why.
 */

defined('ABSPATH') || exit;

const CHATIERE_MAIL_REFUSED = 'chatiere_mail_refused';

// Before the plugins, so that one that changes only part of it starts from what works.
add_action('phpmailer_init', 'chatiere_mail_by_relay', PHP_INT_MIN);

add_action('phpmailer_init', static function ($mailer): void {
    $server = chatiere_mail_server($mailer);
    if ($server === null) {
        chatiere_mail_by_relay($mailer);
    } elseif (chatiere_mail_server_answers(...$server)) {
        delete_option(CHATIERE_MAIL_REFUSED);
    } else {
        chatiere_mail_by_relay($mailer);
        update_option(CHATIERE_MAIL_REFUSED, ['host' => $server[0], 'port' => $server[1], 'at' => time()], false);
    }
}, PHP_INT_MAX);

function chatiere_mail_by_relay($mailer): void
{
    $mailer->isSMTP();
    $mailer->Host = '127.0.0.1';
    $mailer->Port = 25;
    $mailer->SMTPAuth = false;
    $mailer->Username = '';
    $mailer->Password = '';
    $mailer->SMTPSecure = '';
    $mailer->SMTPAutoTLS = false;
    $mailer->Timeout = 5;
    $mailer->Hostname = wp_parse_url(home_url(), PHP_URL_HOST);
}

/**
 * A plugin's own server; null when it has none.
 *
 * @return array{string, int, bool}|null host, port, whether TLS begins at once
 */
function chatiere_mail_server($mailer): ?array
{
    $form = '~^(?:(ssl|tls)://)?\[?([^\]/;]+?)\]?(?::(\d+))?$~i';
    if ($mailer->Mailer !== 'smtp' || !preg_match($form, trim(explode(';', (string) $mailer->Host)[0]), $found)) {
        return null;
    }
    $host = strtolower($found[2]);
    if ($host === 'localhost' || str_starts_with($host, '127.') || $host === '::1') {
        return null;
    }
    $secure = strtolower($found[1] ?: (string) $mailer->SMTPSecure) === 'ssl';
    return [$host, (int) ($found[3] ?? $mailer->Port), $secure];
}

/** Names that this site may not reach have no address. One that has may still have another port only. */
function chatiere_mail_server_answers(string $host, int $port, bool $secure): bool
{
    $known = 'chatiere_mail_' . md5("$host:$port");
    if (get_transient($known) === 'answers') {
        return true;
    }
    foreach (gethostbynamel($host) ?: [''] as $address) {
        if (!str_starts_with($address, '127.66.')) {
            return false;
        }
    }
    // Who it is, the mailer finds out: this one sends no word.
    $context = stream_context_create(['ssl' => ['verify_peer' => false, 'verify_peer_name' => false, 'peer_name' => $host]]);
    $server = @stream_socket_client(($secure ? 'ssl' : 'tcp') . "://$host:$port", $code, $message, 5, STREAM_CLIENT_CONNECT, $context);
    if ($server === false) {
        return false;
    }
    stream_set_timeout($server, 5);
    $answers = fgets($server, 1000) !== false;
    fclose($server);
    if ($answers) {
        set_transient($known, 'answers', HOUR_IN_SECONDS);
    }
    return $answers;
}

add_action('admin_notices', static function (): void {
    $refused = get_option(CHATIERE_MAIL_REFUSED);
    if (!is_array($refused) || $refused['at'] < time() - WEEK_IN_SECONDS || !current_user_can('manage_options')) {
        return;
    }
    $server = "{$refused['host']}:{$refused['port']}";
    $text = chatiere_french()
        ? 'Une extension veut envoyer les courriels par <code>%s</code>, mais ce site n’a pas accès à ce serveur, ou il ne répond pas. Vos messages partent par le serveur de la coopérative. Pour ouvrir l’accès, demandez cette adresse sur la page de votre site, dans votre espace, sous « Ce que ce site a essayé de joindre ».'
        : 'A plugin wants to send mail through <code>%s</code>, but this site may not reach that server, or it does not answer. Your messages are sent by the server of the co-op. To open the way, ask for this address on the page of your site, in your own space.';
    wp_admin_notice(sprintf($text, esc_html($server)), ['type' => 'warning']);
});
