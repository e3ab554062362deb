//! Signs and checks access tokens and says what their bearer may do.
