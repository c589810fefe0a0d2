import streamlit as st

st.title("Heads")
