//! The failures of the accounts engine.

use std::time::Duration;

use http::StatusCode;
use parvis_accounts::{
    AccountDataError, ActError, AddressError, AdministrationError, AuthError, Challenge, CreateError,
    DeviceError, FilterError, HashError, InteractiveError, LoginError, PasswordError, ProfileError,
    PushRuleError, PusherError, RefreshError, RegisterError, ServiceRegisterError, Stage, StorageError,
    WeakPassword,
};
use parvis_wire::MatrixError;
use ruma::api::{
    client::uiaa::{AuthFlow, AuthType, UiaaInfo},
    error::ErrorCode,
};
use serde_json::value::to_raw_value;

use super::ApiError;

/// When to come again where too many passwords wait to be checked.
const BUSY_RETRY: Duration = Duration::from_secs(2);

/// Declares how the errors of an engine become Matrix errors.
macro_rules! table {
    ($($error:ty => |$name:ident| $answer:expr;)+) => {
        $(impl From<$error> for ApiError {
            fn from($name: $error) -> Self {
                Self($answer)
            }
        })+
    };
}

fn bad_request(errcode: ErrorCode, error: impl std::fmt::Display) -> MatrixError {
    MatrixError::new(StatusCode::BAD_REQUEST, errcode, error.to_string())
}

/// 401 that lets the client keep what it has.
/// The organisation's directory does not say whether a password is right: who asks is to try again.
fn silent_directory(error: &impl std::fmt::Display) -> MatrixError {
    tracing::debug!(%error, "nobody can be let in by their password");
    let text = "The organisation's directory does not answer. Try again in a moment.";
    MatrixError::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unknown, text)
}

fn locked() -> MatrixError {
    let error = MatrixError::new(StatusCode::UNAUTHORIZED, ErrorCode::UserLocked, "The account is locked.");
    error.with("soft_logout", true)
}

fn deactivated() -> MatrixError {
    MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::UserDeactivated, "The account is deactivated.")
}

table! {
    StorageError => |error| MatrixError::internal(error);

    HashError => |error| match error {
        HashError::Busy => MatrixError::limit_exceeded(BUSY_RETRY),
        HashError::Failed(_) => MatrixError::internal(error),
    };

    AuthError => |error| match error {
        AuthError::Unknown => MatrixError::unknown_token(false),
        AuthError::Expired => MatrixError::unknown_token(true),
        AuthError::Locked(_) => locked(),
        AuthError::Storage(error) => MatrixError::internal(error),
    };

    ActError => |error| match error {
        ActError::NotIts | ActError::NoAccount => MatrixError::forbidden(error.to_string()),
        ActError::NoDevice => bad_request(ErrorCode::UnknownDevice, error),
        ActError::Locked => locked(),
        ActError::Storage(error) => MatrixError::internal(error),
    };

    ServiceRegisterError => |error| match error {
        ServiceRegisterError::NoName => MatrixError::missing_param("A user name is needed."),
        ServiceRegisterError::LoginUnsupported => bad_request(ErrorCode::AppserviceLoginUnsupported, error),
        ServiceRegisterError::Register(error) => Self::from(error).0,
    };

    LoginError => |error| match error {
        LoginError::WrongPassword => MatrixError::forbidden("The user name or the password is wrong."),
        LoginError::WrongToken => MatrixError::forbidden("The login token is not good."),
        LoginError::Deactivated => deactivated(),
        LoginError::Locked => locked(),
        LoginError::NotIts => bad_request(ErrorCode::Exclusive, error),
        LoginError::Unsupported => bad_request(ErrorCode::AppserviceLoginUnsupported, error),
        LoginError::BadDeviceId => MatrixError::invalid_param("The device id is empty or too long."),
        LoginError::Directory(error) => silent_directory(&error),
        LoginError::Hash(error) => Self::from(error).0,
        LoginError::Storage(error) => MatrixError::internal(error),
    };

    RefreshError => |error| match error {
        RefreshError::Unknown => MatrixError::unknown_token(false),
        RefreshError::Expired => MatrixError::unknown_token(true),
        RefreshError::Locked => locked(),
        RefreshError::Storage(error) => MatrixError::internal(error),
    };

    InteractiveError => |error| match error {
        InteractiveError::Incomplete(incomplete) => challenge(*incomplete),
        InteractiveError::OtherRequest => {
            MatrixError::forbidden("This authentication session belongs to another request.")
        }
        InteractiveError::OtherUser => MatrixError::forbidden("Only the user who is logged in can confirm this."),
        InteractiveError::BadAuth(error) => MatrixError::bad_json(format!("auth: {error}")),
        InteractiveError::Directory(error) => silent_directory(&error),
        InteractiveError::Hash(error) => Self::from(error).0,
        InteractiveError::Storage(error) => MatrixError::internal(error),
    };

    CreateError => |error| match error {
        CreateError::Name(error) => bad_request(ErrorCode::InvalidUsername, error),
        CreateError::Exclusive => bad_request(ErrorCode::Exclusive, error),
        CreateError::Taken => bad_request(ErrorCode::UserInUse, "This user name is taken."),
        CreateError::Password(error) => bad_request(ErrorCode::WeakPassword, error),
        CreateError::Token => MatrixError::forbidden("The registration token is not good any more."),
        CreateError::Address(error) => Self::from(error).0,
        CreateError::Hash(error) => Self::from(error).0,
        CreateError::Storage(error) => MatrixError::internal(error),
    };

    AddressError => |error| match error {
        AddressError::NoIdentityServers => bad_request(ErrorCode::ServerNotTrusted, error),
        AddressError::NoMail | AddressError::NoPhones => bad_request(ErrorCode::ThreepidMediumNotSupported, error),
        AddressError::Managed => MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::ThreepidDenied, error.to_string()),
        AddressError::BadAddress | AddressError::BadLink => MatrixError::invalid_param(error.to_string()),
        AddressError::InUse => bad_request(ErrorCode::ThreepidInUse, error),
        AddressError::Unknown => bad_request(ErrorCode::ThreepidNotFound, error),
        AddressError::NotProved | AddressError::WrongToken => bad_request(ErrorCode::ThreepidAuthFailed, error),
        AddressError::Mail(cause) => {
            tracing::warn!(%cause, "a mail was not sent");
            MatrixError::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, "The mail could not be sent.")
        }
        AddressError::Storage(error) => MatrixError::internal(error),
    };

    AdministrationError => |error| match error {
        AdministrationError::NoSuchUser | AdministrationError::Deactivated => {
            MatrixError::not_found("There is no such user here.")
        }
        AdministrationError::NotAllowed => {
            MatrixError::forbidden("Administrators cannot be locked or suspended; neither can you yourself.")
        }
        AdministrationError::Weak(error) => Self::from(error).0,
        AdministrationError::Hash(error) => Self::from(error).0,
        AdministrationError::Storage(error) => MatrixError::internal(error),
    };

    WeakPassword => |error| bad_request(ErrorCode::WeakPassword, error);

    PasswordError => |error| match error {
        PasswordError::NoAccount => deactivated(),
        PasswordError::Managed => MatrixError::forbidden("Passwords are managed by the organisation."),
        PasswordError::NoMail => MatrixError::missing_token("An access token is needed."),
        PasswordError::Missing => MatrixError::missing_param("new_password is missing."),
        PasswordError::Interactive(error) => Self::from(error).0,
        PasswordError::Address(error) => Self::from(error).0,
        PasswordError::Weak(error) => Self::from(error).0,
        PasswordError::Hash(error) => Self::from(error).0,
        PasswordError::Storage(error) => MatrixError::internal(error),
    };

    ProfileError => |error| match error {
        ProfileError::NoUser => MatrixError::not_found("There is no such user here."),
        ProfileError::NoField => MatrixError::not_found("The profile has no such field."),
        ProfileError::NameTooLong => bad_request(ErrorCode::KeyTooLarge, error),
        ProfileError::Invalid(reason) => MatrixError::invalid_param(reason),
        ProfileError::Managed => MatrixError::forbidden("This field is managed by the organisation."),
        ProfileError::TooLarge => bad_request(ErrorCode::ProfileTooLarge, error),
        ProfileError::Storage(error) => MatrixError::internal(error),
    };

    FilterError => |error| match error {
        FilterError::NotFound => MatrixError::not_found("There is no such filter."),
        FilterError::TooLarge => bad_request(ErrorCode::TooLarge, error),
        FilterError::Invalid(error) => MatrixError::bad_json(error.to_string()),
        FilterError::Storage(error) => MatrixError::internal(error),
    };

    PusherError => |error| match error {
        PusherError::Refused(reason) => MatrixError::forbidden(reason),
        PusherError::NoGateway(reason) => MatrixError::invalid_param(reason),
        PusherError::NotTheirs | PusherError::WrongApp => MatrixError::invalid_param(error.to_string()),
        PusherError::TooMuch => bad_request(ErrorCode::TooLarge, error),
        PusherError::Json(error) => MatrixError::internal(error),
        PusherError::Storage(error) => MatrixError::internal(error),
    };

    RegisterError => |error| match error {
        RegisterError::Closed => {
            MatrixError::forbidden("Registration is closed. Ask the administrators for an account.")
        }
        RegisterError::NoGuests => MatrixError::forbidden("There are no guests here."),
        RegisterError::NoPassword => MatrixError::missing_param("A password is needed."),
        RegisterError::Create(error) => Self::from(error).0,
        RegisterError::Interactive(error) => Self::from(error).0,
        RegisterError::Login(error) => Self::from(error).0,
    };

    DeviceError => |error| match error {
        DeviceError::NotFound => MatrixError::not_found("There is no such device."),
        DeviceError::NameTooLong => bad_request(ErrorCode::TooLarge, error),
        DeviceError::Storage(error) => MatrixError::internal(error),
    };

    AccountDataError => |error| match error {
        AccountDataError::NoRoom => MatrixError::not_found("There is no such room here."),
        AccountDataError::NotFound => MatrixError::not_found("There is no account data of this type."),
        AccountDataError::NotHere => {
            MatrixError::bad_json("Data of this type has an endpoint of its own.")
                .with_status(StatusCode::METHOD_NOT_ALLOWED)
        }
        AccountDataError::TagTooLong => bad_request(ErrorCode::InvalidParam, error),
        AccountDataError::Busy => MatrixError::internal(error),
        AccountDataError::Storage(error) => MatrixError::internal(error),
    };

    PushRuleError => |error| match error {
        PushRuleError::NotFound => MatrixError::not_found("There is no such push rule."),
        PushRuleError::NeighbourNotFound => {
            MatrixError::not_found("The rule named by `before` or `after` is not there.")
        }
        PushRuleError::Invalid(reason) => MatrixError::invalid_param(reason),
        PushRuleError::AccountData(error) => Self::from(error).0,
    };
}

/// The 401 that asks for more.
fn challenge(challenge: Challenge) -> MatrixError {
    let flow = |stages: &Vec<Stage>| {
        AuthFlow::new(stages.iter().map(|stage| AuthType::from(stage.name())).collect())
    };
    let mut info = UiaaInfo::new(challenge.flows.iter().map(flow).collect());
    info.completed = challenge.completed.iter().map(|stage| AuthType::from(stage.as_str())).collect();
    info.params = to_raw_value(&challenge.params).ok();
    info.session = Some(challenge.session);
    let error = MatrixError::interactive_authentication(&info);
    match challenge.problem {
        Some(problem) => error.with("errcode", "M_FORBIDDEN").with("error", problem),
        None => error,
    }
}
