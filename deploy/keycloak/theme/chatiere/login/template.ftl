<#-- The page around all of Keycloak's forms. It works without a script; the scripts are Keycloak's own, for signing in
     from several tabs and for showing a password. -->
<#import "footer.ftl" as loginFooter>
<#macro sign>
<svg class="sign" viewBox="0 0 58 74" width="46" height="59" aria-hidden="true" focusable="false">
  <path class="sign-arch" d="M0 29a29 29 0 0 1 58 0v45H0z"/>
  <path class="sign-cat" d="M11 74V47c0-6 2-10 5-13l1-12 7 6c3-1 7-1 10 0l7-6 1 12c3 3 5 7 5 13v27z"/>
  <circle class="sign-eye" cx="23" cy="41" r="3"/><circle class="sign-eye" cx="35" cy="41" r="3"/>
</svg>
</#macro>
<#macro registrationLayout bodyClass="" displayInfo=false displayMessage=true displayRequiredFields=false>
<!DOCTYPE html>
<html lang="${lang}"<#if realm.internationalizationEnabled> dir="${(locale.rtl)?then('rtl','ltr')}"</#if>>
<head>
  <meta charset="utf-8">
  <meta name="color-scheme" content="light dark">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${msg("loginTitle",(realm.displayName!''))}</title>
  <link rel="icon" href="${url.resourcesPath}/img/sign.svg" type="image/svg+xml">
  <link rel="stylesheet" href="${url.resourcesPath}/css/chatiere.css">
  <script type="importmap">{"imports": {"rfc4648": "${url.resourcesCommonPath}/vendor/rfc4648/rfc4648.js"}}</script>
  <#if scripts??>
    <#list scripts as script>
  <script src="${script}"></script>
    </#list>
  </#if>
  <script type="module" src="${url.resourcesPath}/js/passwordVisibility.js"></script>
  <script type="module">
    <#outputformat "JavaScript">
    import { startSessionPolling } from "${url.resourcesPath}/js/authChecker.js";
    startSessionPolling(${url.ssoLoginInOtherTabsUrl?c});
    </#outputformat>
  </script>
  <#if authenticationSession??>
  <script type="module">
    <#outputformat "JavaScript">
    import { checkAuthSession } from "${url.resourcesPath}/js/authChecker.js";
    checkAuthSession(${authenticationSession.authSessionIdHash?c});
    </#outputformat>
  </script>
  </#if>
</head>
<body data-page-id="login-${pageId}">
<div class="page">
  <header class="top">
    <@sign/>
    <p class="brand"><span class="brand-name">Chatière</span><#if realm.displayName?has_content && realm.displayName != "Chatière"> <span class="brand-coop">${realm.displayName}</span></#if></p>
    <#if realm.internationalizationEnabled && locale.supported?size gt 1>
    <nav class="languages" aria-label="${msg("languages")}">
      <#list locale.supported?sort_by("label")?reverse as l>
        <#if l.languageTag == locale.currentLanguageTag>
      <span class="language" aria-current="true" lang="${l.languageTag}">${l.label}</span>
        <#else>
      <a class="language" href="${l.url}" lang="${l.languageTag}" hreflang="${l.languageTag}">${l.label}</a>
        </#if>
      </#list>
    </nav>
    </#if>
  </header>
  <main class="card">
    <h1 id="kc-page-title"><#nested "header"></h1>
    <#if pageId == "login">
    <p class="intro">${msg("chatiereIntro")}</p>
    </#if>
    <#if pageId == "login-otp">
    <p class="intro">${msg("chatiereOtpIntro")}</p>
    </#if>
    <#if pageId == "login-update-password">
    <p class="intro">${msg("chatierePasswordIntro")}</p>
    </#if>

    <#if auth?has_content && auth.showUsername() && !auth.showResetCredentials()>
    <p class="who">${msg("chatiereWho")} <strong id="kc-attempted-username">${auth.attemptedUsername}</strong>
      <a id="reset-login" href="${url.loginRestartFlowUrl}">${msg("chatiereSomeoneElse")}</a></p>
    <#nested "show-username">
    </#if>

    <#-- A warning that something must be done first would tell people twice what the page asks of them anyway. -->
    <#if displayMessage && message?has_content && message.type != 'warning'>
    <div class="alert alert-${message.type}" role="<#if message.type == 'error'>alert<#else>status</#if>">
      <span class="alert-icon" aria-hidden="true"></span>
      <span class="alert-text kc-feedback-text">${message.summary}</span>
    </div>
    </#if>

    <#nested "form">

    <#if auth?has_content && auth.showTryAnotherWayLink()>
    <form id="kc-select-try-another-way-form" action="${url.loginAction}" method="post" novalidate>
      <input type="hidden" name="tryAnotherWay" value="on">
      <button type="submit" id="try-another-way" class="button secondary block">${msg("doTryAnotherWay")}</button>
    </form>
    </#if>

    <#nested "socialProviders">
    <#if displayInfo>
    <div id="kc-info"><#nested "info"></div>
    </#if>
  </main>
  <#if ["login", "login-otp", "error", "login-page-expired", "login-config-totp"]?seq_contains(pageId)>
  <section class="help" aria-labelledby="help-title">
    <h2 id="help-title">${msg("chatiereHelpTitle")}</h2>
    <ul>
      <#if pageId == "login">
      <li>${msg("chatiereHelpForgotten")}</li>
      <li>${msg("chatiereHelpLocked")}</li>
      <#else>
      <li>${msg("chatiereHelpPhone")}</li>
      <li>${msg("chatiereHelpCodeTime")}</li>
      </#if>
    </ul>
    <#if properties.contact?has_content>
    <p>${msg("chatiereHelpWrite")} <a href="mailto:${properties.contact}">${properties.contact}</a></p>
    <#else>
    <p>${msg("chatiereHelpAsk")}</p>
    </#if>
  </section>
  </#if>
  <footer class="foot"><@loginFooter.content/></footer>
</div>
</body>
</html>
</#macro>
