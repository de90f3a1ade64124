<?php
/**
 * Who somebody is, in the panel's words: a JSON Web Token signed with Ed25519. Of
 * the pair of keys this site has the public one, beside its secrets, so it can
 * check what is said and say nothing itself. How an assertion comes here (in an
 * address, in a header of the proxy) is decided elsewhere: see entry.php.
 */

defined('ABSPATH') || exit;

/** Longest name in letters, of whatever script; identifiers are counted in bytes. */
const CHATIERE_ASSERTION_NAME = 255;
const CHATIERE_ASSERTION_WORD = 255;
/** Longest life of an assertion, and how far ahead of ours the panel's clock may be; in seconds. */
const CHATIERE_ASSERTION_LIFE = 60;
const CHATIERE_CLOCK_AHEAD = 30;

/** Why somebody was not let in; the message is one of "expired", "used" and "unknown". */
final class Chatiere_Refusal extends RuntimeException
{
}

/**
 * Checks an assertion of one type ("chatiere-entry+jwt") and returns what it claims.
 *
 * @return array{sub_iss: string, sub: string, former: list<array{iss: string, sub: string}>, jti: string, exp: int, role: string, name: string, email: string}
 * @throws Chatiere_Refusal
 */
function chatiere_assertion(string $token, string $type, int $now): array
{
    $known = chatiere_panel();
    $parts = strlen($token) <= 4096 ? explode('.', $token) : [];
    if (count($parts) !== 3) {
        throw new Chatiere_Refusal('unknown');
    }
    [$header, $claims] = [chatiere_json($parts[0]), chatiere_json($parts[1])];
    $key = is_string($header['kid'] ?? null) ? chatiere_bytes((string) ($known['keys'][$header['kid']] ?? ''), SODIUM_CRYPTO_SIGN_PUBLICKEYBYTES) : '';
    $signature = chatiere_bytes($parts[2], SODIUM_CRYPTO_SIGN_BYTES);
    // The algorithm is ours to choose, and never the token's.
    $ours = ($header['alg'] ?? null) === 'EdDSA' && ($header['typ'] ?? null) === $type && !isset($header['crit']);
    if (!$ours || $key === '' || $signature === '' || !sodium_crypto_sign_verify_detached($signature, "$parts[0].$parts[1]", $key)) {
        throw new Chatiere_Refusal('unknown');
    }
    return chatiere_claims($claims, (string) $known['issuer'], $now);
}

/** What is signed, held against who we are and what time it is. */
function chatiere_claims(array $claims, string $issuer, int $now): array
{
    foreach (['iss', 'aud', 'sub_iss', 'sub', 'jti', 'role'] as $name) {
        if (!chatiere_is_word($claims[$name] ?? null)) {
            throw new Chatiere_Refusal('unknown');
        }
    }
    if (!is_string($claims['name'] ?? null) || $claims['name'] === '' || mb_strlen($claims['name'], 'UTF-8') > CHATIERE_ASSERTION_NAME) {
        throw new Chatiere_Refusal('unknown');
    }
    $audience = getenv('SITE_ID') . '@' . getenv('SITE_HOST');
    if ($issuer === '' || $claims['iss'] !== $issuer || $claims['aud'] !== $audience || !preg_match('/^[A-Za-z0-9_-]{20,80}$/', $claims['jti'])) {
        throw new Chatiere_Refusal('unknown');
    }
    [$issued, $expires] = [$claims['iat'] ?? null, $claims['exp'] ?? null];
    if (!is_int($issued) || !is_int($expires) || $expires - $issued > CHATIERE_ASSERTION_LIFE || $issued > $now + CHATIERE_CLOCK_AHEAD) {
        throw new Chatiere_Refusal('unknown');
    }
    if ($expires <= $now) {
        throw new Chatiere_Refusal('expired');
    }
    $former = is_array($claims['former'] ?? null) ? $claims['former'] : [];
    $claims['former'] = array_values(array_filter($former, static fn ($one): bool => chatiere_is_word($one['iss'] ?? null) && chatiere_is_word($one['sub'] ?? null)));
    $address = $claims['verified_email'] ?? null;
    $claims['email'] = is_string($address) && is_email($address) ? $address : '';
    return $claims;
}

function chatiere_is_word($value): bool
{
    return is_string($value) && $value !== '' && strlen($value) <= CHATIERE_ASSERTION_WORD;
}

/** The panel's public name and keys; without them nobody comes in from there. */
function chatiere_panel(): array
{
    $path = dirname((string) getenv('SECRET_KEY_FILE')) . '/entry.json';
    $known = is_readable($path) ? json_decode((string) file_get_contents($path), true) : null;
    return is_array($known) && is_array($known['keys'] ?? null) ? $known : ['issuer' => '', 'keys' => []];
}

/** Base64url without padding, of exactly so many bytes (0: of any number); '' for anything else. */
function chatiere_bytes(string $text, int $length = 0): string
{
    try {
        $bytes = sodium_base642bin($text, SODIUM_BASE64_VARIANT_URLSAFE_NO_PADDING);
    } catch (SodiumException) {
        return '';
    }
    return $length === 0 || strlen($bytes) === $length ? $bytes : '';
}

function chatiere_json(string $part): array
{
    $value = json_decode(chatiere_bytes($part), true, 4);
    return is_array($value) ? $value : [];
}
